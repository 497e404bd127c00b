#include "CWeirJSON.h"
