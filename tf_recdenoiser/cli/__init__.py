"""The command line, `tf-recdenoiser`."""
