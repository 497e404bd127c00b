#include "CWeirSystem.h"
