module tegata/conformance/mldsa

go 1.27
