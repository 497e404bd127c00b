#pragma once
#include "line_ends.h"
