# mho with ngspice: docker build -t mho . && docker run --rm -v "$PWD:/work" mho train drn-digits
FROM python:3.11-slim
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends ngspice \
    && rm -rf /var/lib/apt/lists/*
COPY . /src
RUN pip install --no-cache-dir '/src[veriloga]'
WORKDIR /work
ENTRYPOINT ["mho"]
