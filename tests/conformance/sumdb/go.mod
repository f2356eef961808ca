module tegata.test/sumdb

go 1.24
