"""What is installed on this host, and whether it is well."""
