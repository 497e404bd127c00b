/// All functions of the language by name. Each file of this folder brings one family.
enum Library {
    static let functions: [String: Function] = {
        var table: [String: Function] = [:]
        let families = [
            operators, conversions, strings, formatting, mathematics, collections, encoders, optionals, times, networks,
            identities, calendars,
            structural,
        ]
        for function in families.joined() { table[function.name] = function }
        return table
    }()

    /// Most bytes that one string made by a function may have.
    static let textMost = 16 << 20

    /// Known to the checker under these names; the compiler has its own code for them.
    private static let structural: [Function] = [
        Function(
            "_[_]",
            [
                "(list(A), int) A", "(map(K, V), K) V", "(optional_type(list(A)), int) optional_type(A)",
                "(optional_type(map(K, V)), K) optional_type(V)",
            ], .none),
        Function(
            "_[?_]",
            [
                "(list(A), int) optional_type(A)", "(map(K, V), K) optional_type(V)",
                "(optional_type(list(A)), int) optional_type(A)", "(optional_type(map(K, V)), K) optional_type(V)",
            ], .none),
        Function("_?_:_", ["(bool, A, A) A"], .none),
        Function("_==_", ["(A, A) bool"], .none),
        Function("_!=_", ["(A, A) bool"], .none),
        Function("@in", ["(A, list(A)) bool", "(A, map(A, B)) bool"], .none),
        Function("_<_", ordered, .none), Function("_<=_", ordered, .none),
        Function("_>_", ordered, .none), Function("_>=_", ordered, .none),
    ]

    private static let ordered: [String] = {
        let plain = ["bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration"]
        let numbers = ["int", "uint", "double"]
        var result = plain.map { "(\($0), \($0)) bool" }
        for one in numbers {
            for other in numbers where other != one { result.append("(\(one), \(other)) bool") }
        }
        return result
    }()
}
