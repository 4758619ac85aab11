"""The version of this project: said here, and read from here by the package's metadata and by all that names it."""

VERSION = "0.1.0"
