"""`python -m ovasabi.codegen.client`: writes the client's generated files."""

from ovasabi.codegen.client import ROOT, client_files

if __name__ == "__main__":
    for path, text in client_files().items():
        (ROOT / path).write_text(text)
