# SPDX-License-Identifier: MIT
"""What the tests of the booted machine share: machines, the shell at the other end, pictures, reports."""
