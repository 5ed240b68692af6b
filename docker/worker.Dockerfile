# The large image: everything of web.Dockerfile plus PyTorch. The wheels carry CUDA themselves, so no CUDA base image is
# needed; the host brings the NVIDIA driver and its container toolkit. The same image runs on a CPU.
#
#   docker build -f docker/worker.Dockerfile -t pneumoscreen-worker .
#   docker build -f docker/worker.Dockerfile --build-arg TORCH=cpu -t pneumoscreen-worker .     without CUDA

# The minor version and the Debian release are pinned, the patch level is not: a rebuild brings security fixes.
FROM python:3.12-slim-trixie AS build
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 \
    UV_SYSTEM_CERTS=1 PIP_CERT=/etc/ssl/certs/ca-certificates.crt
# A site with a certificate authority of its own puts its certificate into docker/ca.
COPY docker/ca /usr/local/share/ca-certificates/
RUN update-ca-certificates
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
# The dependencies first: these gigabytes are fetched again only when they change.
COPY pyproject.toml requirements.lock ./
# TORCH=cpu takes a PyTorch without CUDA: 1 GB instead of 5, for a host without a GPU.
ARG TORCH=
RUN python -m venv --without-pip /opt/venv && \
    uv pip install --python /opt/venv/bin/python \
        --requirements pyproject.toml --extra worker --extra s3 --constraints requirements.lock \
        ${TORCH:+--torch-backend $TORCH}
COPY README.md LICENSE NOTICE ./
COPY core core
COPY imaging imaging
COPY storage storage
COPY model model
COPY db db
COPY services services
COPY web web
COPY worker worker
COPY training training
COPY client client
COPY launcher launcher
COPY cli cli
RUN uv pip install --python /opt/venv/bin/python \
        --no-deps --build-constraints requirements.lock .

FROM python:3.12-slim-trixie
# The same uid as in the web image: both read the blobs volume.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /tmp pneumoscreen && \
    install -d -o pneumoscreen -g pneumoscreen -m 0750 \
        /var/lib/pneumoscreen /var/lib/pneumoscreen/blobs /var/lib/pneumoscreen/models
COPY --from=build /opt/venv /opt/venv
COPY docker/healthcheck.py /opt/healthcheck.py
# NVIDIA_*: what the container toolkit mounts into the container when a GPU is given to it.
# USER: torch asks for the user's name when it is imported, and a site may run this under a number that has none.
ENV PATH=/opt/venv/bin:$PATH \
    USER=pneumoscreen \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PNEUMOSCREEN_DATA_DIR=/var/lib/pneumoscreen
WORKDIR /var/lib/pneumoscreen
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["python", "/opt/healthcheck.py", "worker"]
CMD ["pneumoscreen", "worker"]
