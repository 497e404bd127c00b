#ifndef WEIR_MAIL_H
#define WEIR_MAIL_H

/// The version of libcurl in use, as it says it itself.
const char *weir_mail_library(void);

#endif
