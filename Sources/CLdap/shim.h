#include <sys/time.h>
#include <sys/eventfd.h>
#include <ldap.h>
#include <openldap.h>
