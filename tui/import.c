/* Known keys taken over: a line that is pasted, or a file of them. */
#include "extra.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#include <rpckit/message.h>

#define FILE_MARK '@'
#define TEXT_MAX ((size_t)RK_PAYLOAD_MAX - 1024) /* of one import */

static void
send(struct ui *ui, const char *text)
{
	const struct order_arg args[] = { { "text", text, 0 } };

	order_send(ui, "_.import", args, 1, "imported", false);
}

static void
send_file(struct ui *ui, const char *path)
{
	struct rk_error err = { 0 };
	struct buf b;
	enum rk_err r;

	buf_init(&b, TEXT_MAX + 1);
	r = fs_read(path, FS_ANY, TEXT_MAX, &b, &err);
	if (r == RK_ETOOBIG)
		ui_say(
		    ui, ROLE_BAD, "more than a megabyte: import it in parts");
	else if (r != RK_OK)
		ui_say(ui, ROLE_BAD, "%s",
		    err.text[0] != '\0' ? err.text : rk_err_text(r));
	else if (memchr(buf_peek(&b), '\0', buf_len(&b)) != NULL)
		ui_say(ui, ROLE_BAD, "nothing is imported: it is no text");
	else if ((r = buf_put(&b, "", 1)) != RK_OK)
		ui_say(ui, ROLE_BAD, "%s", rk_err_text(r));
	else
		send(ui, (const char *)buf_peek(&b));
	buf_fini(&b);
}

static void
answered(struct ui *ui, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	if (text[0] == FILE_MARK)
		send_file(ui, text + 1);
	else
		send(ui, text);
}

void
import_ask(struct ui *ui)
{
	ui_ask(ui, "key line or @file: ", "", answered);
}
