# as -o code.o assembler_x64.s && objcopy -O binary -j .text code.o code.bin && od -An -v -tx1 -w48 code.bin | tr -d " " > assembler_x64.hex
# with x86_64-linux-gnu-as and x86_64-linux-gnu-objcopy; the text is gnuText("x64", EVERY_VERB) of assembler_text.ts
push %rbx
xchg %ax,%ax
nop
nopl (%rax)
mov $0,%edi
nopl (%rax)
mov $1,%esi
nopl (%rax)
mov $65535,%edx
xchg %ax,%ax
mov $65536,%r10d
xchg %ax,%ax
mov $2147483647,%r8d
xchg %ax,%ax
movabs $2147483648,%r9
xchg %ax,%ax
movabs $4294967295,%rdi
xchg %ax,%ax
movabs $4294967296,%rsi
xchg %ax,%ax
movabs $9007199254740991,%rdx
xchg %ax,%ax
movabs $-1,%rdi
xchg %ax,%ax
movabs $-2,%rsi
xchg %ax,%ax
movabs $-100,%rdx
xchg %ax,%ax
movabs $-32768,%r10
xchg %ax,%ax
movabs $-65536,%r8
xchg %ax,%ax
movabs $-2147483648,%r9
xchg %ax,%ax
movabs $-2147483649,%rdi
xchg %ax,%ax
movabs $-9007199254740991,%rsi
xchg %ax,%ax
movabs $18446462603027742720,%r10
xchg %ax,%ax
movabs $9223090561878196223,%r8
L0:
xchg %ax,%ax
movabs $139716164218880,%rcx
mov (%rcx),%rdi
nop
xchg %ax,%ax
movabs $139716164218888,%rcx
mov (%rcx),%rsi
nop
xchg %ax,%ax
movabs $139716164218896,%rcx
mov (%rcx),%rdx
nop
xchg %ax,%ax
movabs $139716164218904,%rcx
mov (%rcx),%r10
nop
xchg %ax,%ax
movabs $139716164218912,%rcx
mov (%rcx),%r8
nop
xchg %ax,%ax
movabs $139716164218920,%rcx
mov (%rcx),%r9
nop
nopl (%rax)
mov $1,%ebx
nopl (%rax)
mov $0,%eax
syscall
xchg %ax,%ax
xchg %ax,%ax
cmp $C0,%rax
xchg %ax,%ax
{disp32} je L1
xchg %ax,%ax
movabs $139716164221072,%rcx
mov %rax,(%rcx)
nop
xchg %ax,%ax
cmp $C1,%rax
xchg %ax,%ax
{disp32} je L2
xchg %ax,%ax
cmp $C2,%rax
xchg %ax,%ax
{disp32} jae L3
xchg %ax,%ax
cmp $C3,%rax
xchg %ax,%ax
{disp32} je L0
nopl (%rax)
mov $300,%ebx
nopl (%rax)
mov $437,%eax
syscall
xchg %ax,%ax
nopl (%rax)
{disp32} jmp L0
nopl (%rax)
{disp32} jmp L4
L1:
pop %rbx
ret
xchg %ax,%ax
L2:
L3:
xchg %ax,%ax
movabs $139716164190208,%rcx
mov %rbx,(%rcx)
nop
mov %rax,8(%rcx)
L4:
ud2
xchg %ax,%ax
.set C0, 0
.set C1, -17
.set C2, -4095
.set C3, 65535
