"""farthing.toml of a gateway whose one vendor is a mock; what a benchmark needs beside it, it adds."""

MOCKED = """
[routing]
baseline = "mock"
[providers.mock]
dialect = "openai"
base_url = "{url}/v1"
api_key_env = "TEST_VENDOR_KEY"
[[models]]
name = "mock"
provider = "mock"
tier = "simple"
input_usd_per_mtok = 0.25
output_usd_per_mtok = 1.25
"""
"""`url` is the vendor's, without a path; whoever starts the gateway sets TEST_VENDOR_KEY."""
