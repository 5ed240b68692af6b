"""What tests, benchmarks and scripts share: servers on free ports, made images, fakes, hostile clients."""
