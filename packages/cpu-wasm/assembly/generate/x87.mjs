/**
 * The x87 as rows of isa.mjs, for their names: all of them become one micro-operation whose helper looks at the opcode (assembly/x87/escape.ts). Operands: ST0,
 * STi the stack's registers; Mt 80 bits; Md Mq Mw as everywhere. [SDM 2:appendix A.5]
 */
const rows = [];
const row = (where, shown) => rows.push(`${where} esc=${shown.replace(' ', ':')}${shown.includes(' ') ? '' : ':'} Ed`);
/** A row for each name that is not '-', at reg 0…7. */
const group = (opcode, form, operands, names) =>
  names.split(' ').forEach((name, i) => {
    if (name !== '-') row(`${opcode}/${i}${form}`, `${name}${operands === '' ? '' : ` ${operands}`}`);
  });
/** At rm 0…7 of one reg. */
const single = (opcode, reg, names) =>
  names.split(' ').forEach((name, i) => {
    if (name !== '-') row(`${opcode}/${reg}r.${i}`, name.replace('_', ' '));
  });

group('D8', 'm', 'Md', 'fadd fmul fcom fcomp fsub fsubr fdiv fdivr');
group('D8', 'r', 'ST0,STi', 'fadd fmul - - fsub fsubr fdiv fdivr');
group('D8', 'r', 'STi', '- - fcom fcomp');
group('D9', 'm', 'Md', 'fld - fst fstp');
group('D9', 'm', 'M', '- - - - fldenv~ - fnstenv~');
group('D9', 'm', 'Mw', '- - - - - fldcw - fnstcw');
group('D9', 'r', 'STi', 'fld fxch');
single('D9', 2, 'fnop');
single('D9', 4, 'fchs fabs - - ftst fxam');
single('D9', 5, 'fld1 fldl2t fldl2e fldpi fldlg2 fldln2 fldz');
single('D9', 6, 'f2xm1 fyl2x fptan fpatan fxtract fprem1 fdecstp fincstp');
single('D9', 7, 'fprem fyl2xp1 fsqrt fsincos frndint fscale fsin fcos');
group('DA', 'm', 'Md', 'fiadd fimul ficom ficomp fisub fisubr fidiv fidivr');
group('DA', 'r', 'ST0,STi', 'fcmovb fcmove fcmovbe fcmovu');
single('DA', 5, '- fucompp');
group('DB', 'm', 'Md', 'fild fisttp fist fistp');
group('DB', 'm', 'Mt', '- - - - - fld - fstp');
group('DB', 'r', 'ST0,STi', 'fcmovnb fcmovne fcmovnbe fcmovnu - fucomi fcomi');
single('DB', 4, 'fneni fndisi fnclex fninit fnsetpm');
group('DC', 'm', 'Mq', 'fadd fmul fcom fcomp fsub fsubr fdiv fdivr');
group('DC', 'r', 'STi,ST0', 'fadd fmul - - fsubr fsub fdivr fdiv');
group('DD', 'm', 'Mq', 'fld fisttp fst fstp');
group('DD', 'm', 'M', '- - - - frstor~ - fnsave~');
group('DD', 'm', 'Mw', '- - - - - - - fnstsw');
group('DD', 'r', 'STi', 'ffree - fst fstp fucom fucomp');
group('DE', 'm', 'Mw', 'fiadd fimul ficom ficomp fisub fisubr fidiv fidivr');
group('DE', 'r', 'STi,ST0', 'faddp fmulp - - fsubrp fsubp fdivrp fdivp');
single('DE', 3, '- fcompp');
group('DF', 'm', 'Mw', 'fild fisttp fist fistp');
group('DF', 'm', 'Mt', '- - - - fbld - fbstp');
group('DF', 'm', 'Mq', '- - - - - fild - fistp');
group('DF', 'r', 'STi', 'ffreep');
group('DF', 'r', 'ST0,STi', '- - - - - fucomip fcomip');
single('DF', 4, 'fnstsw_AX');

// not in the manuals, but there: other codes of the same
group('D9', 'r', 'STi', '- - - fstp1');
group('DC', 'r', 'STi', '- - fcom2 fcomp3');
group('DD', 'r', 'STi', '- fxch4');
group('DE', 'r', 'STi', '- - fcomp5');
group('DF', 'r', 'STi', '- fxch7 fstp8 fstp9');

export const x87Rows = rows;
