"""DER and RFC syntax: names, extensions, requests, CRLs, OCSP; with no policy of ours."""
