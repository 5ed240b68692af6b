"""The published design: Flask, synchronous, eager torch, one image a request."""

from __future__ import annotations

from flask import Flask, request

from benchmarks.peers.screening import PORT, Network, pixels

app = Flask(__name__)
network = Network()


@app.post("/predict")
def predict() -> dict[str, float]:
    (probability,) = network.predict([pixels(request.files["file"].read())])
    return {"probability": probability}


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=PORT, threaded=True)
