#include "weir_mail.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

const char *weir_mail_library(void) { return curl_version(); }

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

struct reading {
    const unsigned char *bytes;
    size_t left;
};

static size_t read_some(char *buffer, size_t size, size_t count, void *context) {
    struct reading *reading = context;
    size_t room = size * count;
    size_t taken = reading->left < room ? reading->left : room;
    memcpy(buffer, reading->bytes, taken);
    reading->bytes += taken;
    reading->left -= taken;
    return taken;
}

int weir_mail_send(const struct weir_mail *mail, long *code, char *text, size_t text_size) {
    *code = 0;
    if (text_size > 0) text[0] = 0;
    pthread_once(&once, prepare);
    CURL *curl = curl_easy_init();
    if (!curl) return CURLE_FAILED_INIT;

    char said[CURL_ERROR_SIZE] = {0};
    char from[320];
    char to[320];
    snprintf(from, sizeof from, "<%s>", mail->from);
    snprintf(to, sizeof to, "<%s>", mail->to);
    struct curl_slist *recipients = curl_slist_append(NULL, to);
    struct reading reading = {mail->bytes, mail->length};

    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said);
    // Signals are the process's own: without this libcurl uses SIGALRM for names.
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_URL, mail->server);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    // Mail does not go through the proxy that is set for the web.
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_USE_SSL, mail->starttls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (mail->ca_file) curl_easy_setopt(curl, CURLOPT_CAINFO, mail->ca_file);
    if (mail->user) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, mail->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, mail->password ? mail->password : "");
    }
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_some);
    curl_easy_setopt(curl, CURLOPT_READDATA, &reading);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->length);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, mail->timeout);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, mail->timeout);

    CURLcode result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, code);
    if (result != CURLE_OK && text_size > 0) {
        snprintf(text, text_size, "%s", said[0] ? said : curl_easy_strerror(result));
    }
    curl_slist_free_all(recipients);
    curl_easy_cleanup(curl);
    return (int)result;
}
