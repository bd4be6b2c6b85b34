"""The entry of a Python function: `python -S /var/runtime/bootstrap.py`. Short, because a script is compiled at every start."""
import cloudless_runtime

cloudless_runtime.main()
