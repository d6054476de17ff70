/*
 * Runs single instructions on this processor, in 64-bit mode at CPL 3, and says how each ended: `SIGNAL DISTANCE` for each line of hexadecimal bytes on
 * standard input. Behind an instruction stands INT3: SIGTRAP at distance N + 1 means that its length is N. SIGILL at distance 0 is #UD. Signal 0: the
 * instruction broke the process.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { MOST = 2000000, LONGEST = 15, CODE = 0x30000, AT = CODE + 16 };

struct result { int16_t signal, distance; };
static uint8_t (*cases)[16];
static struct result *results;
static volatile int *current;
static int count;
static sigjmp_buf back;

static void *shared(size_t bytes) { return mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); }

static void ended(int signal, siginfo_t *info, void *context) {
  long distance = (long)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] - AT;
  (void)info;
  results[*current].signal = signal;
  results[*current].distance = distance > -100 && distance < 100 ? distance : -999;
  siglongjmp(back, 1);
}

/* Registers point to data that can be written; an instruction that loops is ended by the timer. */
static void run(void) {
  uint8_t *code = mmap((void *)CODE, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mmap((void *)0x10000, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  stack_t stack = {.ss_sp = shared(65536), .ss_size = 65536};
  struct sigaction action = {.sa_sigaction = ended, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGVTALRM};
  sigaltstack(&stack, 0);
  for (int i = 0; i < 6; i++) sigaction(signals[i], &action, 0);
  memset(code, 0xcc, 8192);
  for (; *current < count; (*current)++) {
    const struct itimerval timer = {{0, 20000}, {0, 20000}};
    memset(code, 0xcc, 64);
    memcpy((void *)AT, cases[*current], LONGEST);
    if (*current % 64 == 0) setitimer(ITIMER_VIRTUAL, &timer, 0);
    if (!sigsetjmp(back, 0))
      __asm__ volatile("mov $0x18000,%%eax; mov %%eax,%%ebx; mov %%eax,%%ecx; mov %%eax,%%edx; mov %%eax,%%esi; mov %%eax,%%edi; mov %%eax,%%ebp;"
                       "mov %%eax,%%esp; mov %%eax,%%r8d; mov %%eax,%%r9d; mov %%eax,%%r10d; mov %%eax,%%r12d; mov %%eax,%%r13d; mov %%eax,%%r14d;"
                       "mov %%eax,%%r15d; pushq $0x202; popfq; mov %0,%%r11d; jmp *%%r11" ::"i"(AT) : "memory");
    __asm__ volatile("pushq $0x202; popfq" ::: "memory", "cc");
  }
  _exit(0);
}

int main(void) {
  char line[128];
  cases = shared((size_t)MOST * 16);
  results = shared(MOST * sizeof *results);
  current = shared(4096);
  for (; count < MOST && fgets(line, sizeof line, stdin); count++) {
    memset(cases[count], 0xcc, 16);
    for (int i = 0; i < LONGEST && line[2 * i] > ' '; i++) sscanf(line + 2 * i, "%2hhx", &cases[count][i]);
  }
  while (*current < count) {
    const pid_t child = fork();
    if (child == 0) run();
    waitpid(child, 0, 0);
    if (*current < count) results[(*current)++] = (struct result){0, 0};
  }
  for (int i = 0; i < count; i++) printf("%d %d\n", results[i].signal, results[i].distance);
  return 0;
}
