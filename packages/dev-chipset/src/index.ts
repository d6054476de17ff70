export { i8259, type PicService } from './i8259/i8259.js';
