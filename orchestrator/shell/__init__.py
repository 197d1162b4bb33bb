"""Boards without Python: the same requests and answers, by a POSIX shell and the vendor's tool."""
