"""Serves one scikit-learn model by the Open Inference Protocol v2, as MLServer, KServe and Triton do.

    python serve.py MODEL.joblib [PORT]

The tensor `x` has a row of features for each row to score; the answer's tensor `score` has the probability of the second
class. It is enough to try the examples with; a model that matters belongs on one of the servers above.
"""

import http.server
import json
import pathlib
import sys

import joblib
import numpy

path = pathlib.Path(sys.argv[1])
model, name = joblib.load(path), path.stem


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        known = self.path in ("/v2/health/ready", f"/v2/models/{name}/ready")
        self.answer(200 if known else 404, {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != f"/v2/models/{name}/infer":
            return self.answer(404, {"error": f"no model at {self.path}"})
        try:
            tensor = next(i for i in json.loads(body)["inputs"] if i["name"] == "x")
            rows = numpy.array(tensor["data"], dtype=float).reshape(tensor["shape"])
            scores = model.predict_proba(rows)[:, 1].tolist()
        except (StopIteration, KeyError, TypeError, ValueError) as error:
            return self.answer(400, {"error": str(error)})
        output = {"name": "score", "datatype": "FP64", "shape": [len(scores), 1], "data": scores}
        self.answer(200, {"model_name": name, "model_version": "1", "outputs": [output]})

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8080), Handler)
    print(f"{name} at http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
