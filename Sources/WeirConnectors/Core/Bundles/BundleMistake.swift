import WeirWires

/// Why a bundle is none: it will be the same the next time, so it is not tried again.
struct BundleMistake: Error, Hashable {
    /// From a small closed set.
    var code: String
    var sentence: String

    init(_ code: String, _ sentence: String) {
        self.code = code
        self.sentence = sentence
    }

    init(_ mistake: JSONScanner.Mistake, in what: String) {
        self.init("invalid_json", "The \(what) is not JSON: \(mistake.sentence), at byte \(mistake.offset).")
    }

    init(_ mistake: Base64Stream.Mistake) {
        self.init("invalid_base64", "The message's content is not base64: at character \(mistake.offset).")
    }

    static func tooLarge(_ most: Int) -> BundleMistake {
        BundleMistake("object_too_large", "The bundle has an object of over \(most >> 20) MiB.")
    }
}

extension JSONScanner {
    /// As `next`.
    /// - Parameter what: a word for the text, for a sentence.
    mutating func next(
        _ bytes: UnsafeRawBufferPointer, _ index: inout Int, of what: String
    ) throws(BundleMistake) -> Token? {
        do throws(Mistake) { return try next(bytes, &index) } catch { throw BundleMistake(error, in: what) }
    }

    /// As `finish`.
    func finish(_ what: String) throws(BundleMistake) {
        do throws(Mistake) { try finish() } catch { throw BundleMistake(error, in: what) }
    }
}
