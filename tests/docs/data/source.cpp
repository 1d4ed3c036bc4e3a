int first() {
  return 1;
}
// [second]
int second() {
  return 2;
}
// [/second]
int third() {
  return 3;
}
