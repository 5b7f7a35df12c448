"""What a column, a key or a label of a dump holds, by its name in the languages that dumps are written in."""

import unicodedata
from functools import lru_cache
from typing import Literal

Holds = Literal["mail", "phone", "name", "secret", "url", ""]

_LONGEST = 64  # characters of a name
_NAMES: dict[Holds, str] = {
    "mail": """email mail emailaddress mailaddress emailid useremail thudientu diachiemail diachithu correo
        correoelectronico courriel adressemail adresseemail emailadresse epost почта электроннаяпочта 邮箱 電子郵件
        メール メールアドレス""",
    "phone": """phone phonenumber phoneno mobile mobilephone mobilenumber mobileno tel telephone telephonenumber cell
        cellphone msisdn sdt sodienthoai dienthoai didong sodidong telefono telefon telefone celular numerodetelephone
        телефон 手机 手机号 电话""",
    "name": """username user login account accountname userlogin loginname nick nickname taikhoan tendangnhap
        tentaikhoan usuario utilisateur benutzer benutzername логин 用户名 账号""",
    "secret": """password pass passwd pwd passw userpassword passwordplain plainpassword plaintext matkhau contrasena
        clave motdepasse passwort kennwort senha пароль 密码 パスワード""",
    "url": "url uri host hostname link site website domain originurl signonrealm",
}
_KINDS: dict[str, Holds] = {name: kind for kind, names in _NAMES.items() for name in names.split()}


@lru_cache(1 << 12)
def holds(name: str) -> Holds:
    """What stands under a name, whatever its case, blanks and marks; "" where that is none of ours."""
    if len(name) > _LONGEST:
        return ""
    letters = unicodedata.normalize("NFD", name.strip().lower().replace("đ", "d"))
    return _KINDS.get(unicodedata.normalize("NFC", "".join(each for each in letters if each.isalnum())), "")
