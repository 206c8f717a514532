// as -o code.o assembler_arm64.s && objcopy -O binary -j .text code.o code.bin && od -An -v -tx1 -w48 code.bin | tr -d " " > assembler_arm64.hex
// with aarch64-linux-gnu-as and aarch64-linux-gnu-objcopy; the text is gnuText("arm64", EVERY_VERB) of assembler_text.ts
movz x0, #0x0000
movz x1, #0x0001
movz x2, #0xffff
movz x3, #0x0000
movk x3, #0x0001, lsl #16
movz x4, #0xffff
movk x4, #0x7fff, lsl #16
movz x5, #0x0000
movk x5, #0x8000, lsl #16
movz x0, #0xffff
movk x0, #0xffff, lsl #16
movz x1, #0x0000
movk x1, #0x0001, lsl #32
movz x2, #0xffff
movk x2, #0xffff, lsl #16
movk x2, #0xffff, lsl #32
movk x2, #0x001f, lsl #48
movn x0, #(0xffff - 0xffff)
movn x1, #(0xffff - 0xfffe)
movn x2, #(0xffff - 0xff9c)
movn x3, #(0xffff - 0x8000)
movn x4, #(0xffff - 0x0000)
movn x5, #(0xffff - 0x0000)
movk x5, #0x8000, lsl #16
movn x0, #(0xffff - 0xffff)
movk x0, #0x7fff, lsl #16
movn x1, #(0xffff - 0x0001)
movk x1, #0x0000, lsl #16
movk x1, #0x0000, lsl #32
movk x1, #0xffe0, lsl #48
movn x3, #(0xffff - 0x0000)
movk x3, #0x0000, lsl #32
movz x4, #0xffff
movk x4, #0x0001, lsl #16
movk x4, #0x7fff, lsl #48
L0:
movz x9, #0x7000
movk x9, #0x3456, lsl #16
movk x9, #0x7f12, lsl #32
ldr x0, [x9]
movz x9, #0x7008
movk x9, #0x3456, lsl #16
movk x9, #0x7f12, lsl #32
ldr x1, [x9]
movz x9, #0x7010
movk x9, #0x3456, lsl #16
movk x9, #0x7f12, lsl #32
ldr x2, [x9]
movz x9, #0x7018
movk x9, #0x3456, lsl #16
movk x9, #0x7f12, lsl #32
ldr x3, [x9]
movz x9, #0x7020
movk x9, #0x3456, lsl #16
movk x9, #0x7f12, lsl #32
ldr x4, [x9]
movz x9, #0x7028
movk x9, #0x3456, lsl #16
movk x9, #0x7f12, lsl #32
ldr x5, [x9]
movz x11, #0x0001
movz x8, #0x0000
svc #0
movz x10, #0x0000
cmp x0, x10
b.eq L1
movz x9, #0x7890
movk x9, #0x3456, lsl #16
movk x9, #0x7f12, lsl #32
str x0, [x9]
movn x10, #(0xffff - 0xffef)
cmp x0, x10
b.eq L2
movn x10, #(0xffff - 0xf000)
cmp x0, x10
b.hi L3
movz x10, #0xffff
cmp x0, x10
b.eq L0
movz x11, #0x012c
movz x8, #0x01b5
svc #0
b L0
b L4
L1:
ret
L2:
L3:
movz x9, #0x0000
movk x9, #0x3456, lsl #16
movk x9, #0x7f12, lsl #32
str x11, [x9]
str x0, [x9, #8]
L4:
udf #0
