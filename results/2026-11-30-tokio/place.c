// How long the kernel takes to copy a message of 64 KiB from and to a socket, by where in its page it begins.
//
//   gcc -O2 place.c -o place && taskset -c 0 ./place
//
// One connection over loopback, one thread; prints the median of 600 messages for each place, in ns.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

enum { LEN = 65550, TIMES = 600 };

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a - *(const double *)b;
    return x < 0 ? -1 : x > 0;
}

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    bind(listener, (void *)&address, len);
    listen(listener, 1);
    getsockname(listener, (void *)&address, &len);
    int near = socket(AF_INET, SOCK_STREAM, 0);
    connect(near, (void *)&address, len);
    int far = accept(listener, 0, 0);
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char *from = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *to = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(from, 1, 1 << 20);
    memset(to, 1, 1 << 20);
    static const int places[] = {0, 1, 8, 14, 15, 16, 32, 64, 256, 1024, 2048, 3072, 4064, 4080, 4081, 4088, 4095};
    static double sent[TIMES], received[TIMES];
    printf("place,send_ns,recv_ns\n");
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            for (int k = 0; k < TIMES; k++) {
                double begin = now_ns();
                ssize_t written = send(near, from + places[i], LEN, 0), got = 0;
                double middle = now_ns();
                while (got < written) got += recv(far, to + places[i] + got, LEN - got, 0);
                sent[k] = middle - begin;
                received[k] = now_ns() - middle;
            }
            qsort(sent, TIMES, sizeof *sent, by_value);
            qsort(received, TIMES, sizeof *received, by_value);
            if (round == 1) printf("%d,%.0f,%.0f\n", places[i], sent[TIMES / 2], received[TIMES / 2]);
        }
    return 0;
}
