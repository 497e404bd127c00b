/// What is known of a kind's attributes beforehand. It decides whether an attribute is one text or a list in
/// expressions: never the number of values that some object happens to have.
package struct ObjectSchema: Sendable, Hashable, Codable {
    /// Attributes that have lists, in lower case.
    package var lists: Set<String>
    /// Attributes whose values name other objects of the same silo (`member`, `manager`), in lower case.
    package var references: Set<String>
    /// All attributes that there can be, in lower case, where that is known: expressions that ask for others are
    /// refused when they are read.
    package var known: Set<String>?

    package init(lists: Set<String> = [], references: Set<String> = [], known: Set<String>? = nil) {
        self.lists = Set(lists.map { $0.lowercased() })
        self.references = Set(references.map { $0.lowercased() })
        self.known = known.map { Set($0.map { $0.lowercased() }) }
    }

    /// Attributes of directories that have lists by RFC 4519, RFC 2798 and Active Directory's schema, and those that
    /// name other entries.
    package static let directory = ObjectSchema(
        lists: words(
            """
            objectclass member uniquemember memberuid memberof mail mailalternateaddress cn sn givenname ou o l st
            telephonenumber facsimiletelephonenumber mobile pager homephone description postaladdress postalcode street
            title seealso owner roleoccupant businesscategory carlicense departmentnumber employeetype labeleduri uid
            usercertificate proxyaddresses othermailbox othertelephone othermobile serviceprincipalname url sidhistory
            directreports managedobjects manager secretary
            """), references: words("member uniquemember manager owner secretary seealso roleoccupant"))

    /// Active Directory knows which of its attributes have one value only, and `cn`, `sn`, `mail` and others are among
    /// them, unlike in RFC 4519.
    package static let activeDirectory = ObjectSchema(
        lists: words(
            """
            objectclass member memberof proxyaddresses othermailbox othertelephone othermobile otherhomephone otherpager
            otherfacsimiletelephonenumber otheripphone serviceprincipalname url sidhistory directreports managedobjects
            description seealso usercertificate postaladdress carlicense departmentnumber uid ou o labeleduri
            """), references: words("member manager managedby seealso"))

    private static func words(_ text: String) -> Set<String> {
        Set(text.split { $0 == " " || $0 == "\n" }.map(String.init))
    }
}
