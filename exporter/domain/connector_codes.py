"""The error codes of connectors, such as SPE-5002, within the texts of AWS.

AWS documents a table of codes for each connector, on the pages "Understand error codes" and "Troubleshooting" of its
user guide. It does not document which member of a sync job has the code. The texts around a code contain similar words
from the customer's data, such as issue keys (OPS-1042), sites (HR-2024) and encodings (ISO-8859-1). Therefore only a
documented prefix with a number from 5000 to 5999 is a code, and nothing else becomes the value of a label.
"""

from __future__ import annotations

import re

PREFIXES = {
    "AEM": "Adobe Experience Manager",
    "ASN": "Asana",
    "CNF": "Confluence",
    "GCAL": "Google Calendar",
    "GD": "Google Drive",
    "GDL": "Google Drive",
    "GML": "Gmail",
    "JIRA": "Jira",
    "MST": "Microsoft Teams",
    "OND": "Microsoft OneDrive",
    "SF": "Salesforce",
    "SPE": "Microsoft SharePoint",
    "SRN": "ServiceNow",
    "YMR": "Microsoft Yammer",
    "ZND": "Zendesk",
}
"""The documented prefixes of codes, and the connector of each."""

# A code is a separate word: neither `ABC-JIRA-5200` nor `SPE-50010` contains one.
_CODE = re.compile(rf"(?<![\w-])(?:{'|'.join(PREFIXES)})-5[0-9]{{3}}(?![\w-])", re.IGNORECASE | re.ASCII)


def connector_code(*texts: str) -> str:
    """Return the first code in the first text with a code, in upper case; empty if there is none."""
    found = next((match for text in texts if (match := _CODE.search(text))), None)
    return found[0].upper() if found else ""
