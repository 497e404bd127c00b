#ifndef WEIR_MAIL_H
#define WEIR_MAIL_H

#include <stddef.h>

/// The version of libcurl in use, as it says it itself.
const char *weir_mail_library(void);

/// One mail and the server that takes it. Texts are UTF-8 and end with NUL; what is not wanted is NULL.
struct weir_mail {
    /// `smtp://HOST:PORT` or `smtps://HOST:PORT`.
    const char *server;
    /// Not 0: no mail leaves before TLS stands (STARTTLS). Certificates are verified always.
    int starttls;
    const char *ca_file;
    const char *user;
    const char *password;
    /// Envelope addresses, without angle brackets.
    const char *from;
    const char *to;
    /// The message: headers, an empty line, the body; lines end with CR LF.
    const unsigned char *bytes;
    size_t length;
    /// For all of it, in milliseconds.
    long timeout;
};

/// Sends it. Blocking: call it on a thread of its own.
/// - `code`: the server's last answer (250, 535, …), 0 where there was none.
/// - `text`: what went wrong, in words.
/// Returns 0 when the server has taken the mail, else libcurl's code.
int weir_mail_send(const struct weir_mail *mail, long *code, char *text, size_t text_size);

#endif
