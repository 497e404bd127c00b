import Testing

@Suite("The scanner that the house tests read code with")
struct CodeScannerTests {
    @Test(
        "keeps code and blanks comments and literals",
        arguments: [
            ("let a = 1 // Date()", "let a = 1 "),
            ("let url = \"http://x\" + tail", "let url = \"\" + tail"),
            ("f(/* UUID() */ x)", "f( x)"),
            ("let raw = #\"a \" b\"# + c", "let raw = \"\" + c"),
            ("let quote = \"a \\\" b\" + c", "let quote = \"\" + c"),
        ])
    func blanks(line: String, code: String) {
        var scanner = CodeScanner()
        #expect(scanner.code(of: line[...]) == code)
    }

    @Test("remembers block comments and block strings from line to line")
    func goesOn() {
        var scanner = CodeScanner()
        let lines = ["a /* b", "/* c */ d", "e */ f", "let t = \"\"\"", "Date()", "\"\"\" + g"]
        #expect(lines.map { scanner.code(of: $0[...]) } == ["a ", "", " f", "let t = \"", "", "\" + g"])
    }
}
