"""`python -m ovasabi.gateway.client_source`: writes the client's generated files."""

from ovasabi.gateway.client_source import ROOT, client_files

if __name__ == "__main__":
    for path, text in client_files().items():
        (ROOT / path).write_text(text)
