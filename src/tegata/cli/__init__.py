"""The client commands of `tegata`: they talk to a running platform over REST."""
