/*
 * passwd_shim - a name for a uid that /etc/passwd does not know.
 *
 * The object: one page to read and execute (headers, symbols, code), one to write (the dynamic
 * section, relocations, struct passwd and its strings).  Formats: System V ABI, chapters 4 and 5.
 */
#include "sys/passwd_shim.h"

#include <elf.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "sys/file.h"

#if defined(__x86_64__)
#define SHIM_MACHINE EM_X86_64
#define SHIM_RELATIVE R_X86_64_RELATIVE
#elif defined(__aarch64__)
#define SHIM_MACHINE EM_AARCH64
#define SHIM_RELATIVE R_AARCH64_RELATIVE
#endif

#ifdef SHIM_MACHINE

#define DATA_AT 0x10000 /* of the second page: the largest page size there is */
#define TEXT_BYTES 1024
#define STRINGS 5

/* clang-format off */
static const char shim_names[] = "\0getpwuid\0getpwuid_r";
/* clang-format on */
enum { NAME_GETPWUID = 1, NAME_GETPWUID_R = 10 };

struct shim_text {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[4];
	Elf64_Sym sym[3];
	uint32_t hash[6];
	char names[sizeof(shim_names)];
	unsigned char code[2][64] __attribute__((aligned(16)));
};

/* As struct passwd lies in the memory of the program: pointers are relocated. */
struct shim_passwd {
	uint64_t name, password;
	uint32_t uid, gid;
	uint64_t gecos, dir, shell;
};

struct shim_data {
	Elf64_Dyn dyn[9];
	Elf64_Rela rela[STRINGS];
	struct shim_passwd pw;
	char string[STRINGS][64];
};

_Static_assert(sizeof(struct shim_passwd) == sizeof(struct passwd), "layout of struct passwd");
_Static_assert(sizeof(struct shim_text) <= TEXT_BYTES, "one page of text");

#define DATA(member) (DATA_AT + offsetof(struct shim_data, member))
#define TEXT(member) offsetof(struct shim_text, member)

/* ---- code ---- */

#if defined(__x86_64__)

static void
shim_lea(unsigned char *at, uint64_t address)
{
	const unsigned char lea[3] = {0x48, 0x8D, 0x05}; /* lea pw(%rip),%rax */
	int32_t rel = (int32_t)(DATA(pw) - (address + 7));

	memcpy(at, lea, sizeof(lea));
	memcpy(at + 3, &rel, sizeof(rel));
}

static void
shim_code(struct shim_text *t)
{
	static const unsigned char copy[] = {
		0x0F, 0x10, 0x00,       /* movups (%rax),%xmm0 */
		0x0F, 0x11, 0x06,       /* movups %xmm0,(%rsi) */
		0x0F, 0x10, 0x40, 0x10, /* movups 16(%rax),%xmm0 */
		0x0F, 0x11, 0x46, 0x10, /* movups %xmm0,16(%rsi) */
		0x0F, 0x10, 0x40, 0x20, /* movups 32(%rax),%xmm0 */
		0x0F, 0x11, 0x46, 0x20, /* movups %xmm0,32(%rsi) */
		0x49, 0x89, 0x30,       /* mov %rsi,(%r8) */
		0x31, 0xC0,             /* xor %eax,%eax */
		0xC3,                   /* ret */
	};

	shim_lea(t->code[0], TEXT(code[0]));
	t->code[0][7] = 0xC3; /* ret */
	shim_lea(t->code[1], TEXT(code[1]));
	memcpy(t->code[1] + 7, copy, sizeof(copy));
}

#else

static uint32_t
shim_adr(uint64_t address, uint32_t reg)
{
	uint32_t rel = (uint32_t)(DATA(pw) - address);

	return 0x10000000 | (rel & 3) << 29 | (rel >> 2 & 0x7FFFF) << 5 | reg;
}

static void
shim_code(struct shim_text *t)
{
	const uint32_t plain[] = {shim_adr(TEXT(code[0]), 0), 0xD65F03C0 /* ret */};
	const uint32_t copy[] = {
		shim_adr(TEXT(code[1]), 5), 0xA9401CA6, /* ldp x6, x7, [x5] */
		0xA9001C26,                             /* stp x6, x7, [x1] */
		0xA9411CA6,                             /* ldp x6, x7, [x5, #16] */
		0xA9011C26,                             /* stp x6, x7, [x1, #16] */
		0xA9421CA6,                             /* ldp x6, x7, [x5, #32] */
		0xA9021C26,                             /* stp x6, x7, [x1, #32] */
		0xF9000081,                             /* str x1, [x4] */
		0x52800000,                             /* mov w0, #0 */
		0xD65F03C0,                             /* ret */
	};

	memcpy(t->code[0], plain, sizeof(plain));
	memcpy(t->code[1], copy, sizeof(copy));
}

#endif

/* ---- the two pages ---- */

static void
shim_headers(struct shim_text *t)
{
	t->ehdr = (Elf64_Ehdr){.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
				       ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_DYN,
		.e_machine = SHIM_MACHINE,
		.e_version = EV_CURRENT,
		.e_phoff = TEXT(phdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = ARRAY_LEN(t->phdr)};
	t->phdr[0] = (Elf64_Phdr){.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_filesz = sizeof(*t),
		.p_memsz = sizeof(*t),
		.p_align = DATA_AT};
	t->phdr[1] = (Elf64_Phdr){.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W,
		.p_offset = DATA_AT,
		.p_vaddr = DATA_AT,
		.p_paddr = DATA_AT,
		.p_filesz = sizeof(struct shim_data),
		.p_memsz = sizeof(struct shim_data),
		.p_align = DATA_AT};
	t->phdr[2] = t->phdr[1];
	t->phdr[2].p_type = PT_DYNAMIC;
	t->phdr[2].p_filesz = t->phdr[2].p_memsz = sizeof(((struct shim_data *)0)->dyn);
	t->phdr[2].p_align = 8;
	t->phdr[3] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16};
}

static void
shim_symbols(struct shim_text *t)
{
	const uint32_t chain[] = {1, 3, 1, 0, 2, 0}; /* one bucket: 1, then 2 */

	for (int i = 0; i < 2; i++)
		t->sym[i + 1] = (Elf64_Sym){.st_name = i ? NAME_GETPWUID_R : NAME_GETPWUID,
			.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			.st_shndx = 1,
			.st_value = TEXT(code[0]) + (uint64_t)i * sizeof(t->code[0]),
			.st_size = sizeof(t->code[0])};
	memcpy(t->hash, chain, sizeof(chain));
	memcpy(t->names, shim_names, sizeof(shim_names));
}

static void
shim_dynamic(struct shim_data *d)
{
	const Elf64_Dyn dyn[] = {
		{DT_HASH, {TEXT(hash)}},
		{DT_SYMTAB, {TEXT(sym)}},
		{DT_STRTAB, {TEXT(names)}},
		{DT_STRSZ, {sizeof(shim_names)}},
		{DT_SYMENT, {sizeof(Elf64_Sym)}},
		{DT_RELA, {DATA(rela)}},
		{DT_RELASZ, {sizeof(d->rela)}},
		{DT_RELAENT, {sizeof(Elf64_Rela)}},
		{DT_NULL, {0}},
	};

	memcpy(d->dyn, dyn, sizeof(dyn));
}

static void
shim_entry(struct shim_data *d, const char *name)
{
	static const size_t pointers[STRINGS] = {offsetof(struct shim_passwd, name),
		offsetof(struct shim_passwd, password), offsetof(struct shim_passwd, gecos),
		offsetof(struct shim_passwd, dir), offsetof(struct shim_passwd, shell)};
	const char *const text[STRINGS] = {name, "x", "", "/nonexistent", "/bin/sh"};

	d->pw.uid = geteuid();
	d->pw.gid = getegid();
	for (size_t i = 0; i < STRINGS; i++) {
		snprintf(d->string[i], sizeof(d->string[i]), "%s", text[i]);
		d->rela[i] = (Elf64_Rela){.r_offset = DATA(pw) + pointers[i],
			.r_info = ELF64_R_INFO(0, SHIM_RELATIVE),
			.r_addend = (Elf64_Sxword)(DATA(string) + i * sizeof(d->string[0]))};
	}
}

static int
shim_write(int fd, const char *name)
{
	struct shim_text t = {0};
	struct shim_data d = {0};

	shim_headers(&t);
	shim_symbols(&t);
	shim_code(&t);
	shim_dynamic(&d);
	shim_entry(&d, name);
	if (pwrite(fd, &t, sizeof(t), 0) != (ssize_t)sizeof(t))
		return -1;
	return pwrite(fd, &d, sizeof(d), DATA_AT) == (ssize_t)sizeof(d) ? 0 : -1;
}

#endif

int
passwd_shim_open(struct passwd_shim *s, const char *name, struct err *e)
{
	*s = (struct passwd_shim){.fd = -1};
#ifdef SHIM_MACHINE
	s->fd = memfd_create("podgres-passwd", MFD_CLOEXEC);
	if (s->fd < 0 || shim_write(s->fd, name) < 0) {
		err_sys(e, "make a name for uid %u", (unsigned)geteuid());
		passwd_shim_close(s);
		return -1;
	}
	/* Who changed its user is not dumpable, and its /proc/PID/fd is root's. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	snprintf(s->path, sizeof(s->path), "/proc/%ld/fd/%d", (long)getpid(), s->fd);
	return 0;
#else
	(void)name;
	return err_set(e, ERR_NOTIMPL, "uid %u has no name in /etc/passwd, which initdb wants",
		(unsigned)geteuid());
#endif
}

void
passwd_shim_close(struct passwd_shim *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

bool
passwd_shim_needed(void)
{
	return !getpwuid(geteuid()); // NOLINT(concurrency-mt-unsafe): jobs have one thread
}
