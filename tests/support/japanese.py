"""What a program's environment must hold for it to speak Japanese: a locale made for it, and the catalogues of the build."""
import os
import shutil
import subprocess
import unittest

from .server import BUILD


def environment(folder):
    """To be added to a clean environment; the locale is compiled into folder."""
    catalogues = os.path.abspath(os.path.join(BUILD, "locale"))
    if not os.path.exists(os.path.join(catalogues, "ja", "LC_MESSAGES", "sidegate.mo")):
        raise unittest.SkipTest("skipped: no catalogues were built (gettext)")
    name = os.path.join(folder, "ja_JP.UTF-8")
    made = shutil.which("localedef") and subprocess.run(["localedef", "-i", "ja_JP", "-f", "UTF-8", name], capture_output=True, timeout=60)
    if not os.path.exists(name):
        raise unittest.SkipTest(f"skipped: no locale ja_JP can be made here: {made and made.stderr}")
    return {"LOCPATH": os.path.abspath(folder), "LC_ALL": "ja_JP.UTF-8", "SIDEGATE_LOCALE_DIR": catalogues}
