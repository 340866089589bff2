# CPU:  docker build --tag semimtl-geo .
# CUDA: docker build --tag semimtl-geo:cuda --build-arg TORCH=https://download.pytorch.org/whl/cu130 .
#       docker run --gpus all ...
# BASE is any image with Python 3.11 or later and pip, such as one of NVIDIA's with CUDA.
ARG BASE=python:3.12-slim
FROM ${BASE}
ARG TORCH=https://download.pytorch.org/whl/cpu

# A library of rasterio that slim images lack.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/semimtl_geo
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY configs configs
COPY semimtl_geo semimtl_geo
COPY tiles tiles

# The builds of PyTorch for a platform have versions such as 2.14.1+cpu, which the constraints allow.
RUN grep -E "^(torch|torchvision)==" constraints.txt > torch.txt \
    && grep -v -E "^(cuda|nvidia|triton)" constraints.txt > others.txt \
    && pip install --no-cache-dir --requirement torch.txt --index-url "${TORCH}" \
    && pip install --no-cache-dir --constraint others.txt ".[cluster,export]"

# Files that are made belong to the user who runs the container: docker run --user "$(id -u)".
ENV HOME=/tmp MPLCONFIGDIR=/tmp
WORKDIR /data
ENTRYPOINT ["semimtl-geo"]
