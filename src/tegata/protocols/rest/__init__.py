"""The REST API: OpenAPI 3.1, RFC 9457 problems, bearer tokens."""
