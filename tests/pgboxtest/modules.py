"""Dovecot's module directory with the settings module under test, for this process only.

From 2.4 on doveconf refuses settings that it does not know, and takes what modules say from a
directory that is compiled in.  So the tests see a copy of that directory in its place: mounted
in a mount namespace of their own, of which nobody else knows, and which ends with them."""

import functools
import os
import shutil
import subprocess
import tempfile

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
    place = tempfile.mkdtemp(prefix="pgbox-modules-")
    try:
        _run("mount", "--make-rprivate", "/")
        _run("mount", "-t", "tmpfs", "tmpfs", place)
        shutil.copytree(MODULE_DIR, f"{place}/modules", symlinks=True)
        os.makedirs(f"{place}/modules/settings", exist_ok=True)
        shutil.copy(module, f"{place}/modules/settings")
        _run("mount", "--bind", f"{place}/modules", MODULE_DIR)
        _run("umount", place)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(
            f"{SETTINGS_MODULE} can't be shown to doveconf in {MODULE_DIR}: {error.stderr}"
            "It takes root with the right to mount; the root directory of a chroot must be a "
            "mount point.") from error
    finally:
        os.rmdir(place)


def _run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)
