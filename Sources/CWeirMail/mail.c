#include "weir_mail.h"

#include <curl/curl.h>

const char *weir_mail_library(void) { return curl_version(); }
