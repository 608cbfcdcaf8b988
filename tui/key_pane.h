/* A fingerprint to compare: big, and as a QR code. */
#ifndef RPCTUI_KEY_PANE_H
#define RPCTUI_KEY_PANE_H

#include "ui.h"

void qr_open(struct ui *ui, const char *fp, const char *who);

#endif
