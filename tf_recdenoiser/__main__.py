"""`python -m tf_recdenoiser`, which is the command `tf-recdenoiser`."""

from tf_recdenoiser.cli import main

if __name__ == "__main__":
    main()
