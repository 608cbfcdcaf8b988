/* A fingerprint to compare: big, and as a QR code. */
#ifndef RPCTUI_QR_H
#define RPCTUI_QR_H

#include "ui.h"

void qr_open(struct ui *ui, const char *fp, const char *who);

#endif
