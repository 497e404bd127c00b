/* re2 is C++: only CWeirRegex includes its headers. */
