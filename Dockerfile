# The whole environment, pinned: base by digest, every Python package by hash, and a clone of the repository with its embedded study.
#   docker build -t medattn .                         CUDA: torch's wheels bring CUDA 13, the host a driver >= 580
#   docker build -t medattn:cpu --build-arg TORCH=cpu --build-arg TORCH_INDEX=<index of CPU builds> .
# docs/container.md says how to run it.
ARG BASE_IMAGE=python:3.11-slim-bookworm@sha256:0bee7276f83efd4a1ee05bbbf4281d95ed28e079220a9457f25a93e3f1e3c31b
FROM ${BASE_IMAGE}

# Everything that git, make and the image's own commands need of the system.
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends git make \
 && rm -rf /var/lib/apt/lists/*

# cuda or cpu: the same version of everything else.
ARG TORCH=cuda
ARG TORCH_INDEX
# pip's own settings, for a mirror or a certificate; nothing of them stays in the image.
ARG PIP_CERT PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS
COPY requirements/ /opt/medattn/requirements/
RUN python3 -m venv /opt/venv \
 && install="/opt/venv/bin/pip install --no-cache-dir --no-compile --disable-pip-version-check --no-deps --no-build-isolation --require-hashes" \
 && $install -r /opt/medattn/requirements/build.txt \
 && $install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -r "/opt/medattn/requirements/torch-$TORCH.txt" \
 && $install -r /opt/medattn/requirements/locked.txt \
 && $install -r /opt/medattn/requirements/dev.txt \
 && /opt/venv/bin/pip check

# A repository that is mounted belongs to somebody else; an experiment's commit needs a name.
RUN printf '[safe]\n\tdirectory = *\n[user]\n\tname = medattn\n\temail = medattn@localhost\n' > /etc/gitconfig \
 && useradd --uid 1000 --create-home medattn \
 && install -d -o medattn -g medattn /workspace
COPY container/entrypoint /opt/medattn/entrypoint

ENV PATH=/opt/venv/bin:$PATH \
    MEDATTN_VENV=/opt/venv \
    HOME=/tmp \
    USER=medattn \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HOME=/models \
    HF_HUB_OFFLINE=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

WORKDIR /workspace
USER medattn
RUN --mount=type=bind,target=/context \
    git clone --quiet file:///context /workspace \
 && git remote remove origin \
 && dvc pull --quiet data.dvc \
 && touch .git/baked
USER root
# /workspace is where a mounted repository lies, too, so the package is always the code that is there.
RUN /opt/venv/bin/pip install --no-cache-dir --no-compile --disable-pip-version-check --no-deps --no-build-isolation --quiet \
    --editable /workspace \
 && rm -rf /workspace/medattn.egg-info /workspace/build
COPY container/medattn /opt/venv/bin/medattn
USER medattn

ARG REVISION=unknown
LABEL org.opencontainers.image.title="medattn" \
      org.opencontainers.image.description="Where a medical vision-language model looks when it answers questions about chest X-rays" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="python:3.11-slim-bookworm" \
      org.opencontainers.image.base.digest="sha256:0bee7276f83efd4a1ee05bbbf4281d95ed28e079220a9457f25a93e3f1e3c31b"

ENTRYPOINT ["/opt/medattn/entrypoint"]
CMD ["make", "repro"]
