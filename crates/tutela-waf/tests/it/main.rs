mod crs; // the OWASP Core Rule Set and its tests
