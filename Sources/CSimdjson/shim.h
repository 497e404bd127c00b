/* simdjson and re2 are C++: only CWeirJSON and CWeirRegex include their headers. */
