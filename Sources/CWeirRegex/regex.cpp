#include "CWeirRegex.h"
