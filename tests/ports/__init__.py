"""One contract suite for each port, run on the fake and on the real gear."""
