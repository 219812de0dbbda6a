"""Dovecot's module directory with the settings module under test, for this process only.

From 2.4 on doveconf refuses settings that it does not know, and takes what modules say from a
directory that is compiled in.  So the tests see a copy of that directory in its place: mounted
in a mount namespace of their own, of which nobody else knows, and which ends with them."""

import functools
import os
import shutil
import subprocess

from . import config

MODULE_DIR = "/usr/lib/dovecot/modules"
SETTINGS_MODULE = "libpgbox_settings.so"


@functools.cache
def install_settings(plugin_path):
    """Let doveconf know the settings of the plugin that is built at this path.

    To be called before the process has threads."""
    if not config.is_24():
        return
    module = os.path.join(os.path.dirname(plugin_path), SETTINGS_MODULE)
    os.unshare(os.CLONE_NEWNS)
    try:
        _run("mount", "--make-rprivate", "/")
        _run("mount", "-t", "tmpfs", "tmpfs", "/mnt")
        shutil.copytree(MODULE_DIR, "/mnt/modules", symlinks=True)
        os.makedirs("/mnt/modules/settings", exist_ok=True)
        shutil.copy(module, "/mnt/modules/settings")
        _run("mount", "--bind", "/mnt/modules", MODULE_DIR)
        _run("umount", "/mnt")
    except subprocess.CalledProcessError as error:
        raise RuntimeError(
            f"{SETTINGS_MODULE} can't be shown to doveconf in {MODULE_DIR}: {error.stderr}"
            "It takes root with the right to mount; the root directory of a chroot must be a "
            "mount point.") from error


def _run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)
